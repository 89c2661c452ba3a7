/** The most that a run took of its hosts, for people. */
import { rateText, sizeText } from './size-text.ts';
import type { SystemPeaks } from './system-metrics.ts';

type Fact = [string, string];

/** Without what nobody told. */
export function peakFacts(peaks: SystemPeaks): Fact[] {
  const fact = (name: string, value: number | null, text: (value: number) => string): Fact[] =>
    value === null ? [] : [[name, text(value)]];
  return [
    ...fact('CPU', peaks.cpu, (cores) => `${cores.toFixed(1)} cores`),
    ...fact('Memory', peaks.memoryBytes, sizeText),
    ...fact('Read from disk', peaks.readBytes, rateText),
    ...fact('Written to disk', peaks.writtenBytes, rateText),
    ...fact('Received by network', peaks.receivedBytes, rateText),
    ...fact('Sent by network', peaks.sentBytes, rateText),
    ...peaks.gpus.flatMap(({ index, use, memoryBytes, watts, celsius }): Fact[] => {
      const told = [
        ...fact('use', use, (part) => `${Math.round(part * 100)} %`),
        ...fact('memory', memoryBytes, sizeText),
        ...fact('power', watts, (value) => `${Math.round(value)} W`),
        ...fact('temperature', celsius, (value) => `${Math.round(value)} °C`),
      ];
      return told.length === 0 ? [] : [[`GPU ${index}`, told.map(([, text]) => text).join(', ')]];
    }),
  ];
}
