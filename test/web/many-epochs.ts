/** A metrics.jsonl as a training of very many epochs would have left it. */
import type { EpochResult } from '../../contracts/protocol.ts';

export function manyEpochs(count: number): string {
  const began = Date.now() - count * 1000;
  const lines = Array.from({ length: count }, (_, index) => {
    const epoch = index + 1;
    const wave = Math.sin(epoch / 900) / 20 + Math.sin(epoch * 12.9898) / 30;
    const metrics = {
      train_loss: 2 / Math.sqrt(epoch) + 0.2 + wave,
      val_loss: 2 / Math.sqrt(epoch) + 0.25 + wave * 1.3,
      val_accuracy: 1 - 0.9 / Math.sqrt(epoch) + wave / 10,
      learning_rate: 0.001 * (1 - epoch / count),
    };
    const row: EpochResult = {
      epoch,
      batches: 20,
      seconds: 1,
      metrics,
      at: new Date(began + epoch * 1000).toISOString(),
    };
    return JSON.stringify(row);
  });
  return `${lines.join('\n')}\n`;
}
