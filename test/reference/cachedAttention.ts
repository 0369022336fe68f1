/**
 * Causal grouped-query attention: row t of q [rows][heads][D] stands at position + t and sees keys and values
 * [positions][kvHeads][D] up to there. → [rows][heads][D], flat.
 */
export function cachedAttention(q: number[][][], keys: number[][][], values: number[][][], position: number): number[] {
  const out: number[] = [];
  q.forEach((row, t) => {
    row.forEach((query, h) => {
      const g = Math.floor((h * (keys[0]?.length ?? 1)) / row.length);
      const scores = keys.slice(0, position + t + 1).map((key) => {
        const dot = (key[g] ?? []).reduce((sum, v, d) => sum + v * (query[d] ?? 0), 0);
        return dot / Math.sqrt(query.length);
      });
      const top = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - top));
      const total = weights.reduce((sum, w) => sum + w, 0);
      for (let d = 0; d < query.length; d++) {
        out.push(weights.reduce((sum, w, j) => sum + w * (values[j]?.[g]?.[d] ?? 0), 0) / total);
      }
    });
  });
  return out;
}
