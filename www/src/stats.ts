/** What a line comes to over what is shown of it. */
export interface LineStats {
  min: number | null;
  max: number | null;
  mean: number | null;
  last: number | null;
}

export const STATS = ["min", "max", "mean", "last"] as const;

export function lineStats(values: readonly (number | null | undefined)[]): LineStats {
  const stats: LineStats = { min: null, max: null, mean: null, last: null };
  let [sum, count] = [0, 0];
  for (const value of values) {
    if (value === null || value === undefined) continue;
    stats.min = Math.min(stats.min ?? value, value);
    stats.max = Math.max(stats.max ?? value, value);
    stats.last = value;
    sum += value;
    count += 1;
  }
  if (count > 0) stats.mean = sum / count;
  return stats;
}
