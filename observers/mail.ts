/** E-mail by SMTP. */
import type { Notice } from './notice.ts';

export interface MailSettings {
  from: string;
  to: readonly string[];
}

/** For a connection, a greeting, and silence, in milliseconds. */
const patience = 10_000;

/** `smtp://[user:password@]host[:port]`, or smtps. A password goes over TLS alone, unless the server is on this machine. */
export function isMailServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return (protocol === 'smtp:' || protocol === 'smtps:') && hostname !== '';
}

/** Null where it was taken; a sentence where it never will be, or by some alone. Throws what is to be tried again. */
export async function sendMail(
  server: string,
  { from, to }: MailSettings,
  { id, title, lines, link }: Notice,
  signal: AbortSignal,
): Promise<string | null> {
  const { createTransport } = await import('nodemailer');
  const { username, hostname } = new URL(server);
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  const transport = createTransport({
    url: server,
    connectionTimeout: patience,
    greetingTimeout: patience,
    socketTimeout: patience,
    requireTLS: username !== '' && !isHere && server.startsWith('smtp:'),
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const close = () => transport.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    signal.throwIfAborted();
    const { rejected } = await Promise.race([
      transport.sendMail({
        from,
        to: [...to],
        subject: title,
        text: [...lines, ...(link === null ? [] : ['', link])].join('\n'),
        // Who has it already may tell by that.
        messageId: `<${id.replace(/[^A-Za-z0-9.-]/g, '.')}@epochal>`,
        headers: { 'auto-submitted': 'auto-generated' },
      }),
      new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
    ]);
    return rejected.length > 0 ? `the mail server does not take ${rejected.length} of ${to.length} recipients` : null;
  } catch (error) {
    if (signal.aborted) throw error;
    return refused(error);
  } finally {
    signal.removeEventListener('abort', close);
    transport.close();
  }
}

/** What the server says may name the user, and this is kept in a history. */
function refused(error: unknown): string {
  const told = error instanceof Error ? error : new Error();
  const [code, status] = [Reflect.get(told, 'code'), Number(Reflect.get(told, 'responseCode'))];
  const sentence =
    status > 0 ? `the mail server answers ${status}` : `the mail server cannot be reached: ${String(code)}`;
  // A wrong password can be mended.
  if (status >= 500 && code !== 'EAUTH') return sentence;
  throw new Error(sentence);
}
