/**
 * The folder of this package, as an address that ends with a slash: the clone, or what was installed. The code is compiled into
 * `dist/` there, and run from its sources by tests; what it reads beside code (trainers, the web UI) lies there once.
 */
export const isCompiled = import.meta.url.endsWith('.js');
export const packageFolder = new URL(isCompiled ? '../../' : '../', import.meta.url);
