/** `node --import` it: writes the address of each module that is loaded, one a line, to the file that LOADED_MODULES names. */
import { appendFileSync } from 'node:fs';
import { register } from 'node:module';

const hooks = `
  import { appendFileSync } from 'node:fs';
  export async function load(url, context, next) {
    appendFileSync(${JSON.stringify(process.env.LOADED_MODULES)}, url + '\\n');
    return next(url, context);
  }`;
appendFileSync(process.env.LOADED_MODULES, '');
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
