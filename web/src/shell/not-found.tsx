import { IconMapOff } from '@tabler/icons-react';
import { EmptyState } from './empty-state.tsx';
import { LinkButton } from './link-button.tsx';

export function NotFound() {
  return (
    <EmptyState icon={<IconMapOff size={32} />} title="Page not found">
      <LinkButton to="/">All runs</LinkButton>
    </EmptyState>
  );
}
