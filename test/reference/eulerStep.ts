/** x + dt · ((1 + guidance) · velocity[0] − guidance · velocity[1]) */
export function eulerStep(x: Float32Array, velocity: Float32Array, dt: number, guidance: number): Float64Array {
  return Float64Array.from(x, (value, i) => {
    const [conditioned = 0, free = 0] = [velocity[i], velocity[x.length + i]];
    return value + dt * ((1 + guidance) * conditioned - guidance * free);
  });
}
