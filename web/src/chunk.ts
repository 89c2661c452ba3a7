/** Parts of the page that are fetched when they are needed, also while the server is unavailable or has been upgraded. */
import { addressOf } from '../../contracts/http-api.ts';

const retryMs = 2_000;
/** By the address of this build: each is reloaded once. */
const reloaded = `epochal-reloaded ${import.meta.url}`;

/**
 * Waits for a server that does not answer. One that answers and has no such part has been upgraded: the page is reloaded, once.
 * Throws when that did not help.
 */
export async function chunk<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch {
    await serverAnswers();
  }
  try {
    return await load();
  } catch (error) {
    if (!reloadOnce()) throw error;
    // The page goes.
    return new Promise(() => undefined);
  }
}

async function serverAnswers(): Promise<void> {
  for (;;) {
    const answer = await fetch(addressOf('alive', undefined), { cache: 'no-store' }).catch(() => null);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

function reloadOnce(): boolean {
  try {
    if (sessionStorage.getItem(reloaded) !== null) return false;
    sessionStorage.setItem(reloaded, new Date().toISOString());
  } catch {
    // Without a memory nobody knows whether it has been tried.
    return false;
  }
  location.reload();
  return true;
}
