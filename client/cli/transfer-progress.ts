/** How far a command is that moves or reads many bytes: a line now and then, at once why it waits. */
import { sizeText } from '../../contracts/size-text.ts';

const everyMs = 2000;

export class TransferProgress {
  #toldAt = performance.now();
  #bytes = 0;
  #run = '';
  #file = '';

  constructor(private readonly tell: (text: string) => void) {}

  readonly onRun = (run: string): void => {
    this.#run = run;
    this.#file = '';
    this.#tellNowAndThen();
  };

  readonly onFile = (path: string): void => {
    this.#file = path;
    this.#tellNowAndThen();
  };

  readonly onBytes = (bytes: number): void => {
    this.#bytes += bytes;
    this.#tellNowAndThen();
  };

  readonly onWait = (why: string): void => this.tell(why);

  #tellNowAndThen(): void {
    const now = performance.now();
    if (now - this.#toldAt < everyMs) return;
    this.#toldAt = now;
    const moved = this.#bytes > 0 ? `, ${sizeText(this.#bytes)} so far` : '';
    this.tell(`${[this.#run, this.#file].filter((part) => part !== '').join(': ')}${moved}`);
  }
}
