import { Alert, Button, Stack } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { messageOf } from '../api/call.ts';

/** A page that broke. The others continue. */
export function PageTrouble({ error }: { error: unknown }) {
  return (
    <Alert color="red" icon={<IconAlertTriangle />} title="Something went wrong" role="alert">
      <Stack align="flex-start">
        {messageOf(error)}
        <Button variant="default" onClick={() => location.reload()}>
          Reload page
        </Button>
      </Stack>
    </Alert>
  );
}
