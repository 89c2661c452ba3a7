/**
 * Bundles the workflow code: `node bundle-workflows.mjs <workflows> <payload converter> <bundle>`. A process of its own, as webpack
 * leaves 100 MB in the process that it worked in. Plain Node, because it is called from sources as well.
 */
import { rename, writeFile } from 'node:fs/promises';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const [workflowsPath, payloadConverterPath, bundle] = process.argv.slice(2);
const { code } = await bundleWorkflowCode({ workflowsPath, payloadConverterPath, logger: new DefaultLogger('WARN') });
const beside = `${bundle}.${process.pid}`;
await writeFile(beside, code);
await rename(beside, bundle);
