/**
 * `npm run schemas`: writes `trainers/epochal/epochal/contracts.py`, the contracts of the trainer's side as pydantic models. `--check` only
 * says whether it is up to date. Own code, because the tool of the field (`datamodel-code-generator`) is a Python environment of its
 * own with forty packages, and names what has no name by numbers: these are the few shapes that our contracts are made of.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { checkpointFileSchema, checkpointManifestSchema, positionSchema } from './checkpoint.ts';
import {
  classCountsSchema,
  dataFindingSchema,
  dataReportFile,
  dataReportSchema,
  dataSplitSchema,
  decodedSchema,
  duplicatesSchema,
  findingExampleSchema,
  imageSizeSchema,
  imageSizesSchema,
  largestDataReport,
  loadedCountsSchema,
  sizeCountSchema,
} from './data-report.ts';
import { commandSchema, eventSchema, protocolVersion, sessionFileSchema } from './protocol.ts';
import { trainerCheckSchema, trainerManifestSchema } from './trainer-manifest.ts';

export const pythonFile = fileURLToPath(new URL('../trainers/epochal/epochal/contracts.py', import.meta.url));

const constants = {
  PROTOCOL: protocolVersion,
  DATA_REPORT_FILE: dataReportFile,
  LARGEST_DATA_REPORT: largestDataReport,
};

/** By their names in Python. The others are named for where they are: `TrainerManifestMetric`. */
const named: Record<string, z.ZodType> = {
  Position: positionSchema,
  CheckpointFile: checkpointFileSchema,
  CheckpointManifest: checkpointManifestSchema,
  SessionFile: sessionFileSchema,
  Command: commandSchema,
  Event: eventSchema,
  LoadedCounts: loadedCountsSchema,
  SplitCounts: dataSplitSchema,
  ClassCounts: classCountsSchema,
  ImageSize: imageSizeSchema,
  SizeCount: sizeCountSchema,
  ImageSizes: imageSizesSchema,
  FindingExample: findingExampleSchema,
  ReportFinding: dataFindingSchema,
  Duplicates: duplicatesSchema,
  Decoded: decodedSchema,
  DataReport: dataReportSchema,
  TrainerManifest: trainerManifestSchema,
  TrainerCheck: trainerCheckSchema,
};

/** What of JSON Schema our schemas are made of. */
interface JsonSchema {
  $ref?: string;
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  propertyNames?: JsonSchema;
  items?: JsonSchema;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  pattern?: string;
  format?: string;
}

const upper = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
const singular = (text: string) => text.replace(/(?<=ss)es$|s$/, '');
const snake = (text: string) => text.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const literal = (value: unknown) => JSON.stringify(value);
/** What readers make of a kind that they do not know: no trainer says so. */
const other = 'other';
const keywords = new Set(['from', 'class', 'import', 'global', 'pass']);

class Models {
  readonly lines: string[] = [];

  /** A model with this name, or another type that it stands for. */
  add(name: string, schema: JsonSchema): void {
    if (schema.oneOf) {
      const parts = schema.oneOf.flatMap((part) => {
        const type = part.properties?.type?.const;
        if (typeof type !== 'string') throw new Error(`a part of ${name} has no type to tell it by`);
        if (type === other) return [];
        this.add(`${upper(type)}${name}`, part);
        return [`${upper(type)}${name}`];
      });
      const line = `    ${parts.join(' | ')},`;
      const union = line.length <= 120 ? line : `    ${parts.join('\n    | ')},`;
      this.lines.push('', '', `${name} = Annotated[`, union, '    Field(discriminator="type"),', ']');
      return;
    }
    const required = new Set(schema.required);
    const fields = Object.entries(schema.properties ?? {}).map(([key, property]) => {
      const type = this.type(property, `${name}${upper(key)}`);
      const field = keywords.has(key) ? `${key}_` : snake(key);
      const alias = field === snake(key) ? '' : `alias=${literal(key)}`;
      if (required.has(key)) return `    ${field}: ${type}${alias && ` = Field(${alias})`}`;
      const optional = type.endsWith('| None') ? type : `${type} | None`;
      return `    ${field}: ${optional} = ${alias ? `Field(default=None, ${alias})` : 'None'}`;
    });
    this.lines.push('', '', `class ${name}(_Model):`, ...fields);
  }

  /** A type; a model that it needs is added, called `name`. */
  private type(schema: JsonSchema, name: string): string {
    if (schema.$ref) return schema.$ref in named ? schema.$ref : 'Any';
    if ('const' in schema) return `Literal[${literal(schema.const)}]`;
    if (schema.enum)
      return `Literal[${schema.enum
        .filter((kind) => kind !== other)
        .map(literal)
        .join(', ')}]`;
    const parts =
      schema.anyOf ?? (Array.isArray(schema.type) ? schema.type.map((type) => ({ ...schema, type })) : null);
    if (parts) return parts.map((part) => this.type(part, name)).join(' | ');
    switch (schema.type) {
      case 'null':
        return 'None';
      case 'boolean':
        return 'bool';
      case 'string':
        return bounded('str', [
          ['min_length', schema.minLength],
          ['max_length', schema.maxLength],
          ['pattern', schema.format === 'date-time' ? '^\\d{4}-\\d\\d-\\d\\dT.*Z$' : schema.pattern],
        ]);
      case 'integer':
      case 'number':
        return bounded(schema.type === 'integer' ? 'int' : 'float', [
          ['ge', safe(schema.minimum)],
          ['le', safe(schema.maximum)],
        ]);
      case 'array':
        return bounded(`list[${this.type(schema.items ?? {}, singular(name))}]`, [['max_length', schema.maxItems]]);
      case 'object': {
        if (schema.properties) {
          this.add(name, schema);
          return name;
        }
        const values = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : {};
        return `dict[${this.type(schema.propertyNames ?? { type: 'string' }, name)}, ${this.type(values, name)}]`;
      }
      case undefined:
        return 'Any';
      default:
        throw new Error(`${name} is ${schema.type}: no type of Python is known for it`);
    }
  }
}

/** Bounds that zod gives to every whole number say nothing. */
const safe = (bound: number | undefined) =>
  Number.isSafeInteger(bound) && Math.abs(bound ?? 0) < 2 ** 53 - 1 ? bound : undefined;

function bounded(type: string, bounds: [string, unknown][]): string {
  const given = bounds.filter(([, value]) => value !== undefined);
  if (given.length === 0) return type;
  const text = ([key, value]: [string, unknown]) => `${key}=${key === 'pattern' ? `r"${value}"` : value}`;
  return `Annotated[${type}, Field(${given.map(text).join(', ')})]`;
}

export function pythonModels(): string {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => id });
  const models = new Models();
  for (const name of Object.keys(named)) models.add(name, schemas[name] as JsonSchema);
  return [
    '"""What trainers and workers tell each other, and what both read on a disk: `contracts/` as pydantic models.',
    '',
    'Written by `npm run schemas`: change `contracts/*.ts`, which say what each field means, and run it again.',
    '"""',
    '',
    'from __future__ import annotations',
    '',
    'from typing import Annotated, Any, Literal',
    '',
    'from pydantic import BaseModel, ConfigDict, Field',
    'from pydantic.alias_generators import to_camel',
    '',
    ...Object.entries(constants).map(([name, value]) => `${name} = ${literal(value)}`),
    '',
    '',
    'class _Model(BaseModel):',
    '    # A worker of a later version may tell more.',
    '    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False)',
    ...models.lines,
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const content = pythonModels();
  const same = existsSync(pythonFile) && readFileSync(pythonFile, 'utf8') === content;
  if (!same && process.argv.includes('--check')) {
    process.stderr.write(`${pythonFile} is not what the contracts say: run \`npm run schemas\`\n`);
    process.exitCode = 1;
  } else if (!same) writeFileSync(pythonFile, content);
}
