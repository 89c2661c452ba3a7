/** What a benchmark answers: a table for people, and the same numbers for programs. */
export interface BenchResult {
  title: string;
  /** What was measured, and against which target. */
  about: string;
  columns: string[];
  rows: (string | number)[][];
}
