/** Which code trained a run, for people. */
import type { Materials } from './receipt-facts.ts';

/** Null where its program is in no repository, or of old. */
export function codeText(materials: Pick<Materials, 'code'> | undefined): string | null {
  const code = materials?.code;
  if (!code) return null;
  const { commit, branch, isDirty, diff } = code;
  const kept = diff ? ` (code.diff${diff.isTruncated ? ', truncated' : ''})` : '';
  const changes = isDirty === null ? ', changes unknown' : isDirty ? `, with uncommitted changes${kept}` : '';
  return `commit ${commit.slice(0, 12)}${branch === null ? '' : ` on ${branch}`}${changes}`;
}
