/** Google Cloud says 30 seconds before the end of a spot VM that it is preempted, to whoever waits for a change. */
import { ask, type SpotNotice, type SpotSource, unexpected } from './spot-source.ts';

const noticeSeconds = 30;
/** After which a question that waits is answered without a change. */
const waitSeconds = 60;

export class GcpSpot implements SpotSource {
  readonly name = 'gcp';
  /** The question itself waits; what changes between two of them is known by the ETag. */
  readonly pauseMs = 1_000;
  /** Of the last answer; without it a question that waits would miss a change that has been. */
  #etag: string | null = null;

  constructor(private readonly base = 'http://metadata.google.internal') {}

  async look(signal: AbortSignal): Promise<SpotNotice | null> {
    const waits = this.#etag !== null;
    const query = waits
      ? `?${new URLSearchParams({ wait_for_change: 'true', timeout_sec: String(waitSeconds), last_etag: this.#etag ?? '' })}`
      : '';
    const answer = await ask(`${this.base}/computeMetadata/v1/instance/preempted${query}`, {
      headers: { 'Metadata-Flavor': 'Google' },
      seconds: waits ? waitSeconds + 15 : 5,
      signal,
    });
    // Elsewhere something else may answer under that name.
    if (answer.status !== 200 || answer.headers.get('metadata-flavor') !== 'Google')
      throw unexpected('the metadata service of Google Cloud', answer);
    this.#etag = answer.headers.get('etag');
    if (answer.text.trim() !== 'TRUE') return null;
    return { why: 'Google Cloud preempts this VM', seconds: noticeSeconds };
  }
}
