/** The address that a start of the server prints signs in once: the code in its fragment becomes a cookie, and leaves the address. */
import { call } from './call.ts';

const code = /^#code=([\w-]{1,100})$/.exec(location.hash)?.[1];
/** Whether there was a code that signed nobody in: the page that asks for the token says why. */
export let isCodeSpent = false;

/** Before anything else is asked of the server. */
export async function signInByCode(): Promise<void> {
  if (code === undefined) return;
  // Not kept in the browser's history, nor copied with the address.
  history.replaceState(history.state, '', location.pathname + location.search);
  try {
    await call('enter', { body: { code } });
  } catch {
    // Whoever signed in before needs no code; everybody else is asked for the token.
    isCodeSpent = true;
  }
}
