/** Loads what layers are made of, by the name that both their tensors share. */
import type { Tensor } from "../gpu/tensor.js";
import type { Norm } from "./layerNorm.js";
import type { ConvWeight, Matrix, Weights } from "./weights.js";

/** A linear layer. */
export interface Affine {
  readonly weight: Matrix;
  readonly bias: Tensor;
}

export interface Convolution {
  readonly weight: ConvWeight;
  readonly bias: Tensor;
}

/** One layer, or several on the same input side by side. */
export async function loadAffine(weights: Weights, ...names: readonly string[]): Promise<Affine> {
  return {
    weight: await weights.matrix(...names.map((name) => `${name}.weight`)),
    bias: await weights.vector(...names.map((name) => `${name}.bias`)),
  };
}

export async function loadConvolution(weights: Weights, name: string): Promise<Convolution> {
  return { weight: await weights.conv(`${name}.weight`), bias: await weights.vector(`${name}.bias`) };
}

/** Gain and bias of a layer norm. */
export async function loadNorm(weights: Weights, name: string): Promise<Norm> {
  return { weight: await weights.vector(`${name}.weight`), bias: await weights.vector(`${name}.bias`) };
}
