/** The search attributes of runs at a Temporal server, by which people find runs in its UI. */
import type { Connection } from '@temporalio/client';
import { type AttributeName, searchAttributes } from '../contracts/search-attributes.ts';

/** A client's connection or a worker's own. */
type Operator = Pick<Connection, 'operatorService'>;

/** As the server's API numbers them (temporal.api.enums.v1.IndexedValueType). */
const typeNumbers = { Keyword: 2, Double: 4, Datetime: 6, KeywordList: 7 } as const;

export class SearchAttributesError extends Error {
  override readonly name = 'SearchAttributesError';
}

/** Those that the namespace lacks. Throws SearchAttributesError when one is there with another type. */
export async function missingSearchAttributes(connection: Operator, namespace: string): Promise<AttributeName[]> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing: AttributeName[] = [];
  for (const [name, type] of Object.entries(searchAttributes) as [AttributeName, keyof typeof typeNumbers][]) {
    const found = customAttributes?.[name];
    if (found === undefined || found === null) missing.push(name);
    else if (found !== typeNumbers[type]) {
      throw new SearchAttributesError(
        `the search attribute ${name} of the namespace ${namespace} has a type other than ${type}: use another namespace, or remove it there`,
      );
    }
  }
  return missing;
}

/** Registers those that the namespace lacks, and says which those were. */
export async function ensureSearchAttributes(connection: Operator, namespace: string): Promise<AttributeName[]> {
  let missing: AttributeName[] = [];
  try {
    missing = await missingSearchAttributes(connection, namespace);
    if (missing.length === 0) return [];
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map((name) => [name, typeNumbers[searchAttributes[name]]])),
    });
    return missing;
  } catch (error) {
    if (error instanceof SearchAttributesError) throw error;
    const names = missing.length > 0 ? missing : (Object.keys(searchAttributes) as AttributeName[]);
    throw new SearchAttributesError(
      `the search attributes of runs could not be registered in the namespace ${namespace} ` +
        `(${error instanceof Error ? error.message : String(error)}). Ask someone with permission to run:\n  ${createCommand(names, namespace)}`,
      { cause: error },
    );
  }
}

/** The command that registers them by hand. */
export function createCommand(names: readonly AttributeName[], namespace: string): string {
  const pairs = names.map((name) => `--name ${name} --type ${searchAttributes[name]}`).join(' ');
  return `temporal operator search-attribute create --namespace ${namespace} ${pairs}`;
}
