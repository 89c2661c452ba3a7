import { Button, Card, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { call, messageOf } from '../api/call.ts';
import { accessQuery } from '../api/queries.ts';
import { isCodeSpent } from '../api/sign-in-code.ts';

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
  const refused = enter.data && !enter.data.granted ? 'Wrong token.' : null;
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
            {isCodeSpent && 'The address that you opened signs in once and has been used already. '}
            Run “npx epochal sign-in” on the server's machine for a new address. Or enter the token: it is in
            EPOCHAL_TOKEN where the server was started or, if that was not set, in the file “server-token” of its data
            folder.
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
