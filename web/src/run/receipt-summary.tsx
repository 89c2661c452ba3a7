import { Alert, Code, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck, IconLifebuoy, IconPlayerStop } from '@tabler/icons-react';
import type { Receipt } from '../../../contracts/receipt.ts';
import { causeText, outcomeTitles, savedText } from './receipt-text.ts';

const looks = {
  completed: { color: 'teal', Icon: IconCircleCheck },
  stopped: { color: 'gray', Icon: IconPlayerStop },
  salvaged: { color: 'orange', Icon: IconLifebuoy },
  failed: { color: 'red', Icon: IconAlertTriangle },
  lost: { color: 'red', Icon: IconAlertTriangle },
} as const;

export function ReceiptSummary({ receipt }: { receipt: Receipt }) {
  const { color, Icon } = looks[receipt.outcome];
  const { cause, localFolder } = receipt;
  return (
    <Alert color={color} icon={<Icon aria-hidden />} title={outcomeTitles[receipt.outcome]} data-testid="outcome">
      <Stack gap={4}>
        <Text size="sm">{causeText(cause)}</Text>
        <Text size="sm">{savedText(receipt)}</Text>
        {localFolder.kind === 'kept' && (
          <Text size="sm">
            The run's folder was kept on {localFolder.host}: <Code>{localFolder.path}</Code> ({localFolder.why})
          </Text>
        )}
        {cause.kind === 'failure' && cause.failure.traceback && (
          <Code
            block
            mah={240}
            style={{ overflow: 'auto', whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}
            tabIndex={0}
          >
            {cause.failure.traceback}
          </Code>
        )}
      </Stack>
    </Alert>
  );
}
