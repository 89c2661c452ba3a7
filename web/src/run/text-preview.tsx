import { Alert, Loader } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { CallError, messageOf } from '../api/call.ts';

/** A text file, as it is. */
export function TextPreview({ address, name }: { address: string; name: string }) {
  const { data, error } = useQuery({
    queryKey: ['text', address],
    queryFn: async ({ signal }) => {
      const response = await fetch(address, { signal, credentials: 'same-origin' });
      if (!response.ok) throw new CallError(`${name} could not be read.`, null);
      return response.text();
    },
    refetchInterval: false,
  });
  if (error) return <Alert color="red">{messageOf(error)}</Alert>;
  if (data === undefined) return <Loader role="status" aria-label="Loading" />;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard
    // biome-ignore lint/a11y/useSemanticElements: it is preformatted first of all
    <pre className="log" tabIndex={0} role="region" aria-label={name}>
      {data}
    </pre>
  );
}
