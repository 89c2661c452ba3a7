/** While a server or every worker is away, requests wait for them. */
export async function untilItAnswers(request: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await request();
      return;
    } catch (error) {
      const text = `${error instanceof Error ? `${error.name} ${error.message}` : error}`;
      if (attempt >= 30 || !/UNAVAILABLE|DEADLINE|ServiceError|Timeout|Cancelled|Update.*RPC/i.test(text)) throw error;
    }
  }
}
