// "did you mean": the known word that is most similar to an unknown one.

/** The candidate that `word` most probably stands for; undefined if none is similar. Ignores case. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  if (lower.length > 60) return undefined;
  const byDistance = candidates
    .map((candidate) => ({ candidate, distance: distance(lower, candidate.toLowerCase()) }))
    .filter(
      ({ candidate, distance }) => distance <= Math.max(1, Math.floor(Math.min(lower.length, candidate.length) / 3)),
    )
    .sort((a, b) => a.distance - b.distance)[0];
  return byDistance?.candidate ?? longerForm(lower, candidates);
}

/** "ttl" for `ttlSeconds`, "server" for `nameServers`: the shortest candidate that contains the word. */
function longerForm(lower: string, candidates: readonly string[]): string | undefined {
  if (lower.length < 3) return undefined;
  return candidates
    .filter((candidate) => candidate.toLowerCase().includes(lower))
    .sort((a, b) => a.length - b.length)[0];
}

/** Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, substitutions, swapped neighbours. */
export function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + same);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], beforeLast[j - 2] + 1);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length];
}
