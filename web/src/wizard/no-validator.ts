/** Stands for a package that nothing here uses: see vite.config.ts. */
const noValidator = null;

// biome-ignore lint/style/noDefaultExport: the package has one
export { noValidator as default };
