import { Badge, Card, Group, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import {
  classBalance,
  type DataFinding,
  type DataReport,
  type DataSplit,
  type DataSummary,
} from '../../../contracts/data-report.ts';
import { decodedText, duplicatesText, loadedText, sizesText } from '../../../contracts/data-report-text.ts';
import { addressOf } from '../../../contracts/http-api.ts';
import { relativePath } from '../../../contracts/names.ts';
import { counted, formatCount } from '../formatting.ts';

/** Where the images of the data set can be asked for: a host offers it. Null: only their names are shown. */
export type DataSetPlace = { host: string; id: string } | null;

const mostImages = 6;
const mostClasses = 30;

/** What a data set holds, what is left out and why, and what was not checked. */
export function DataReportCard({ report, place }: { report: DataReport; place: DataSetPlace }) {
  return (
    <Card bg="transparent" data-testid="data-report">
      <Stack>
        <Title order={3} size="h5">
          Data report
        </Title>
        <Table variant="vertical" withRowBorders={false} verticalSpacing={4} layout="auto">
          <Table.Tbody>
            {dataFacts(report).map(([name, value]) => (
              <Table.Tr key={name}>
                <Table.Th scope="row" fw={400} w="30%" bg="transparent">
                  <Text size="sm" c="dimmed">
                    {name}
                  </Text>
                </Table.Th>
                <Table.Td className="figures" style={{ overflowWrap: 'anywhere' }}>
                  {value}
                </Table.Td>
              </Table.Tr>
            ))}
            {report.sizes && (
              <Table.Tr>
                <Table.Th scope="row" fw={400} bg="transparent">
                  <Text size="sm" c="dimmed">
                    Image sizes
                  </Text>
                </Table.Th>
                <Table.Td className="figures">{sizesText(report.sizes, formatCount)}</Table.Td>
              </Table.Tr>
            )}
          </Table.Tbody>
        </Table>
        <ClassBalance report={report} />
        {report.findings.map((finding) => (
          <FindingDetails key={finding.kind} finding={finding} place={place} />
        ))}
        {report.findings.length === 0 && <Text size="sm">Nothing was left out, and nothing had to be repaired.</Text>}
      </Stack>
    </Card>
  );
}

/** What a receipt has of it, too. */
export function dataFacts(report: DataSummary): [string, ReactNode][] {
  const { kind, images, objects, splits, splitBy, splitSha256 } = report;
  return [
    [
      'Data set',
      `${kind}: ${counted(images, 'image')}, ${counted(objects, 'object')}, ${counted(report.classCount, 'class', 'classes')}`,
    ],
    ...splits.map((split): [string, ReactNode] => [`Split ${split.name}`, splitText(split)]),
    ...(splitBy === null ? [] : [['Split by', splitBy] as [string, ReactNode]]),
    ...(splitSha256 === null ? [] : [['Split sha256', splitSha256] as [string, ReactNode]]),
    ['Decoded', decodedText(report, formatCount)],
    ['Duplicates', duplicatesText(report, formatCount)],
  ];
}

function splitText(split: DataSplit): string {
  const unmarked = split.unmarked > 0 ? `, ${formatCount(split.unmarked)} without annotations` : '';
  const ends = [split.role === 'unused' ? 'not used' : null, loadedText(split, formatCount)];
  const promised = `${counted(split.images, 'image')}, ${counted(split.objects, 'object')}${unmarked}`;
  return [promised, ...ends.filter((end) => end !== null)].join('; ');
}

function ClassBalance({ report }: { report: DataReport }) {
  const { splits, classCount } = report;
  const { classes, unit } = classBalance(report);
  if (classes.length === 0) return null;
  const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);
  const ranked = [...classes].sort((a, b) => total(b.counts) - total(a.counts));
  const half = mostClasses / 2;
  const shown = ranked.length > mostClasses ? [...ranked.slice(0, half), ...ranked.slice(-half)] : ranked;
  return (
    <div>
      <Table.ScrollContainer
        minWidth={280}
        mah={260}
        scrollAreaProps={{ viewportProps: { tabIndex: 0, role: 'region', 'aria-label': `${unit} of each class` } }}
      >
        <Table verticalSpacing={4}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Class ({unit.toLowerCase()})</Table.Th>
              {splits.map(({ name }) => (
                <Table.Th key={name}>{name}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map(({ name, counts }) => (
              <Table.Tr key={name}>
                <Table.Th scope="row" fw={400}>
                  {name}
                </Table.Th>
                {splits.map((split, index) => (
                  <Table.Td key={split.name} className="figures">
                    {formatCount(counts[index] ?? 0)}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {shown.length < classCount && (
        <Text size="xs" c="dimmed" mt={4}>
          The most and the least frequent of {counted(classCount, 'class', 'classes')}.
        </Text>
      )}
    </div>
  );
}

function FindingDetails({ finding, place }: { finding: DataFinding; place: DataSetPlace }) {
  const { kind, effect, count, examples } = finding;
  const images = [
    ...new Set(examples.flatMap(({ image }) => (image && relativePath.safeParse(image).success ? [image] : []))),
  ];
  const rest = count - examples.length;
  return (
    <details>
      <summary>
        <Group component="span" display="inline-flex" gap="xs">
          <Badge component="span" color={effect === 'leftOut' ? 'orange' : 'gray'} tt="none">
            {effect === 'leftOut' ? 'left out' : 'note'}
          </Badge>
          <Text component="span" size="sm">
            {kind}: {formatCount(count)}
          </Text>
        </Group>
      </summary>
      {place && images.length > 0 && (
        <SimpleGrid cols={{ base: 2, sm: 3 }} spacing="xs" mt="xs">
          {images.slice(0, mostImages).map((item) => (
            <figure key={item} className="marked-image">
              <img
                src={addressOf('dataSetImage', { host: place.host, dataSet: place.id }, { item })}
                alt={`${kind}: ${item}`}
                loading="lazy"
              />
              <figcaption title={item}>{item.split('/').at(-1)}</figcaption>
            </figure>
          ))}
        </SimpleGrid>
      )}
      <ul className="finding-places">
        {examples.map(({ detail }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two places may read alike, and their order never changes
          <li key={index}>{detail}</li>
        ))}
        {rest > 0 && <li>and {formatCount(rest)} more</li>}
      </ul>
    </details>
  );
}
