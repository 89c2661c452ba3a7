import { Button, Card, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { call, messageOf } from '../api/call.ts';
import { accessQuery } from '../api/queries.ts';

export function TokenGate() {
  const [token, setToken] = useState('');
  const queries = useQueryClient();
  const enter = useMutation({
    mutationFn: () => call('enter', { body: { token } }),
    onSuccess: (access) => {
      queries.setQueryData(accessQuery.queryKey, access);
      return queries.invalidateQueries();
    },
  });
  const refused = enter.data && !enter.data.granted ? 'This is not the token.' : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    enter.mutate();
  };
  return (
    <Card maw={440} mx="auto" mt={48} padding="xl">
      <form onSubmit={submit}>
        <Stack>
          <Title order={1} size="h3">
            This server asks for a token
          </Title>
          <Text c="dimmed" size="sm">
            It is what EPOCHAL_TOKEN holds where the server was started.
          </Text>
          <PasswordInput
            label="Token"
            value={token}
            onChange={(event) => setToken(event.currentTarget.value)}
            error={enter.error ? messageOf(enter.error) : refused}
            autoComplete="current-password"
            data-autofocus
            required
          />
          <Button type="submit" loading={enter.isPending}>
            Enter
          </Button>
        </Stack>
      </form>
    </Card>
  );
}
