/** A real SMTP server, which takes what it is told to take. */
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export interface Mail {
  to: string[];
  text: string;
}

/** Answers an Error with a status to refuse, or null to take it. */
type Decide = (what: 'recipient' | 'message', detail: string) => number | null;

export class MailServer {
  readonly mails: Mail[] = [];
  decide: Decide = () => null;
  readonly #server: SMTPServer;

  private constructor(password: string | null) {
    const refused = (status: number) =>
      Object.assign(new Error('refused, and a secret: hidden'), { responseCode: status });
    this.#server = new SMTPServer({
      disabledCommands: ['STARTTLS', ...(password === null ? ['AUTH' as const] : [])],
      hideSTARTTLS: true,
      allowInsecureAuth: true,
      authOptional: password === null,
      onAuth: ({ username, password: given }, _, done) =>
        given === password ? done(null, { user: username }) : done(refused(535)),
      onRcptTo: ({ address }, _, done) => {
        const status = this.decide('recipient', address);
        done(status === null ? null : refused(status));
      },
      onData: (stream, { envelope }, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk) => chunks.push(chunk));
        stream.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const status = this.decide('message', text);
          if (status !== null) return done(refused(status));
          this.mails.push({ to: envelope.rcptTo.map(({ address }) => address), text });
          done();
        });
      },
    });
    // A client that hangs up is no concern of the test.
    this.#server.on('error', () => undefined);
  }

  static async start({ password = null }: { password?: string | null } = {}): Promise<MailServer> {
    const server = new MailServer(password);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo).port;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
