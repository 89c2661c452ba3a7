/** The client of a provider that all stores of this process share. */

export class SharedClient<Client> {
  readonly #made = new Map<string, Promise<Client>>();

  /** `variables`: of the environment, which decide whom is asked, and as whom: another client for other values. */
  constructor(
    readonly variables: readonly string[],
    readonly connect: () => Promise<Client>,
  ) {}

  /** With its open connections and its credentials. */
  get(): Promise<Client> {
    const key = JSON.stringify(this.variables.map((name) => process.env[name]));
    const there = this.#made.get(key);
    if (there) return there;
    const made = this.connect();
    this.#made.set(key, made);
    made.catch(() => this.#made.delete(key));
    return made;
  }

  /** Its credentials were refused: the next one looks for them anew, as after a login. Those of a file tell no time at which to do so. */
  forget(client: Client): void {
    for (const [key, made] of this.#made) {
      const forget = (one: Client) => {
        if (one === client && this.#made.get(key) === made) this.#made.delete(key);
      };
      void made.then(forget, () => undefined);
    }
  }
}
