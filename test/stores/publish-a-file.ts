/** Publishes `<store> <file> <path>`, and says on stdout when the first bytes have moved. For tests that kill it. */
import { openStore } from '../../stores/open-store.ts';

const [store = '', file = '', path = ''] = process.argv.slice(2);
let told = false;
await openStore(store).publish(file, path, {
  onBytes: () => {
    if (!told) process.stdout.write('moving\n');
    told = true;
  },
});
