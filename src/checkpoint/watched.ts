/** A weight source that tells how much was read, for the progress of loading. */
import type { Component } from "../config.js";
import type { Model, WeightSource } from "./model.js";

/** Called before every read with its number of values; what it throws ends the read. */
export type OnRead = (component: Component, values: number) => void;

function watchedSource(source: WeightSource, onRead: OnRead): WeightSource {
  return {
    component: source.component,
    names: () => source.names(),
    has: (name) => source.has(name),
    info: (name) => source.info(name),
    read: async (name) => {
      onRead(source.component, source.info(name).elements);
      return source.read(name);
    },
    readSlice: async (name, start, count) => {
      onRead(source.component, count);
      return source.readSlice(name, start, count);
    },
    readBytes: async (name, dtype, start, count) => {
      onRead(source.component, count);
      return source.readBytes(name, dtype, start, count);
    },
  };
}

/** The same model, watched. */
export function watchedModel(model: Model, onRead: OnRead): Model {
  const sources = new Map<string, WeightSource>();
  return {
    name: model.name,
    config: model.config,
    dtype: model.dtype,
    components: model.components,
    voices: model.voices,
    voice: (name) => model.voice(name),
    tokenizerFiles: () => model.tokenizerFiles(),
    damaged: model.damaged,
    warnings: model.warnings,
    close: () => model.close(),
    tensors: (component) => {
      const source = sources.get(component) ?? watchedSource(model.tensors(component), onRead);
      sources.set(component, source);
      return source;
    },
  };
}
