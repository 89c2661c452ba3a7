import { ActionIcon } from '@mantine/core';
import { IconLogout } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { call } from '../api/call.ts';

export function SignOut() {
  const leave = useMutation({
    mutationFn: () => call('leave', {}),
    // Loaded anew, and without what was being written: nothing that was read stays.
    onSuccess: () => {
      try {
        sessionStorage.clear();
      } catch {
        // A browser that refuses to remember has nothing to forget.
      }
      location.assign('/');
    },
  });
  return (
    <ActionIcon
      variant="default"
      size="lg"
      aria-label="Sign out"
      loading={leave.isPending}
      onClick={() => leave.mutate()}
    >
      <IconLogout size={18} aria-hidden />
    </ActionIcon>
  );
}
