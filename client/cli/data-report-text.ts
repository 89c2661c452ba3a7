/** A data report as text: what a data set holds, what is left out and where, what was not checked. */
import { classBalance, type DataFinding, type DataReport, type DataSummary } from '../../contracts/data-report.ts';
import { decodedText, duplicatesText, loadedText, sizesText } from '../../contracts/data-report-text.ts';
import { colors } from './colors.ts';
import { plain } from './format.ts';
import { factsText } from './table.ts';

/** Classes in a line. */
const mostClasses = 12;

export function dataReportText(report: DataReport): string {
  const { classes, sizes, findings } = report;
  const facts = factsText([
    ...dataFacts(report),
    ['classes', classes.length > 0 ? classesText(report) : null],
    ['image sizes', sizes && sizesText(sizes, String)],
  ]);
  return [facts, ...findings.map(findingText)].join('\n');
}

/** What a receipt has of it, too. */
export function dataFacts(report: DataSummary): [string, string | null][] {
  const { kind, images, objects, splits, splitBy, splitSha256 } = report;
  const parts = splits.map((split) => {
    const unmarked = split.unmarked > 0 ? `, ${split.unmarked} without annotations` : '';
    const loaded = loadedText(split, String);
    const end = split.role === 'unused' ? ' (not used)' : loaded ? ` (${loaded})` : '';
    return `${plain(split.name)} ${counted(split.images, 'image')} with ${counted(split.objects, 'object')}${unmarked}${end}`;
  });
  return [
    ['data set', `${plain(kind)}: ${counted(images, 'image')}, ${counted(objects, 'object')}`],
    ['split', parts.length > 0 ? `${splitBy === null ? '' : `by ${plain(splitBy)}: `}${parts.join('; ')}` : null],
    ['split sha256', splitSha256],
    ['decoded', decodedText(report, String)],
    ['duplicates', duplicatesText(report, String)],
  ];
}

function classesText(report: DataReport): string {
  const { classes, unit } = classBalance(report);
  const ranked = classes
    .map(({ name, counts }) => ({ name, total: counts.reduce((sum, count) => sum + count, 0) }))
    .sort((a, b) => b.total - a.total);
  const half = mostClasses / 2;
  const shown = ranked.length > mostClasses ? [...ranked.slice(0, half), null, ...ranked.slice(-half)] : ranked;
  return `${report.classCount}, ${unit.toLowerCase()} of each: ${shown.map((one) => (one ? `${plain(one.name)} ${one.total}` : '…')).join(', ')}`;
}

function findingText({ kind, effect, count, examples }: DataFinding): string {
  const title = `${effect === 'leftOut' ? colors.yellow('left out') : colors.dim('note')}  ${plain(kind)}: ${count}`;
  const rest = count - examples.length;
  return [
    title,
    ...examples.map(({ detail }) => `  ${plain(detail)}`),
    ...(rest > 0 && examples.length > 0 ? [colors.dim(`  and ${rest} more`)] : []),
  ].join('\n');
}

const counted = (count: number, name: string) => `${count} ${name}${count === 1 ? '' : 's'}`;
