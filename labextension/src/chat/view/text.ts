/**
 * The sentences and numbers that the chat shows, made of what was measured.
 *
 * Pure: records in, text out, through a translation bundle. Called by the components.
 */

import type { ContextItem, MessageRecord } from '../../chat_protocol';
import type { ModelInfo } from '../../protocol';
import type { AnswerProgress, Chip, ConnectionState, ContextUse } from '../state';

/** The part of a translation bundle that is used here. */
export interface Translator {
  __(text: string, ...args: unknown[]): string;
  _n(singular: string, plural: string, n: number, ...args: unknown[]): string;
}

/** A whole number with the separators of the reader's language. */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString();
}

function formatSeconds(milliseconds: number): string {
  const digits = milliseconds < 10_000 ? 2 : 1;
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return (milliseconds / 1000).toLocaleString(undefined, options);
}

function formatRate(value: number): string {
  const digits = value < 10 ? 1 : 0;
  return value.toLocaleString(undefined, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits
  });
}

/** A model's name without its folder. */
export function shortModelName(modelId: string): string {
  return modelId.split(/[\\/]/).pop() ?? modelId;
}

/** The measured facts of a finished answer, one each; empty where nothing was measured. */
export function describeAnswer(record: MessageRecord, trans: Translator): readonly string[] {
  const { model, timings, usage, state } = record;
  const facts = model === '' ? [] : [shortModelName(model)];
  if (state !== 'complete') {
    return facts;
  }
  if (timings !== null && timings.firstTokenMs > 0) {
    facts.push(trans.__('first token %1 s', formatSeconds(timings.firstTokenMs)));
  }
  if (timings !== null && timings.predictedPerSecond > 0) {
    facts.push(trans.__('%1 tokens/s', formatRate(timings.predictedPerSecond)));
  }
  if (usage !== null && usage.cachedTokens > 0) {
    facts.push(
      trans.__(
        'reused %1 of %2 prompt tokens',
        formatCount(usage.cachedTokens),
        formatCount(usage.promptTokens)
      )
    );
  }
  return facts;
}

/** Why an answer is shorter than it could be, and what helps; `null` where it is whole. */
export function describeEnding(
  record: MessageRecord,
  trans: Translator
): { readonly message: string; readonly hint: string; readonly isError: boolean } | null {
  switch (record.state) {
    case 'failed':
      return {
        message: record.error?.message ?? trans.__('The answer failed.'),
        hint: record.error?.hint ?? '',
        isError: true
      };
    case 'interrupted':
      return {
        message: trans.__('The server ended while this answer was being written.'),
        hint: trans.__('What had arrived is kept. Retry asks again.'),
        isError: true
      };
    case 'stopped':
      return { message: trans.__('Stopped.'), hint: '', isError: false };
    case 'complete':
      return record.finishReason === 'length'
        ? {
            message: trans.__('The answer ends here because it reached its length limit.'),
            hint: trans.__('Ask to go on, or raise the limit in the settings.'),
            isError: false
          }
        : null;
    case 'writing':
      return null;
  }
}

/** What goes on before the first token. */
export function describeProgress(progress: AnswerProgress | null, trans: Translator): string {
  if (progress?.isLoadingModel === true) {
    return progress.loadProgress === null
      ? trans.__('Loading model…')
      : trans.__('Loading model %1 %', formatCount(progress.loadProgress * 100));
  }
  if (progress?.queuePosition !== null && progress?.queuePosition !== undefined) {
    return progress.queuePosition > 0
      ? trans.__('Waiting: number %1 in the queue', formatCount(progress.queuePosition))
      : trans.__('Next in the queue');
  }
  const done = progress?.promptTokensDone ?? null;
  const total = progress?.promptTokensTotal ?? null;
  if (done !== null && total !== null && total > 0) {
    return trans.__(
      'Reading the prompt: %1 of %2 tokens',
      formatCount(done),
      formatCount(total)
    );
  }
  return trans.__('Starting…');
}

/** How far that is, from 0 to 1; `null` where it is not known. */
export function progressPart(progress: AnswerProgress | null): number | null {
  if (progress === null) {
    return null;
  }
  if (progress.isLoadingModel) {
    return progress.loadProgress;
  }
  const { promptTokensDone: done, promptTokensTotal: total } = progress;
  return done === null || total === null || total <= 0 ? null : Math.min(1, done / total);
}

export function describeModelState(model: ModelInfo, trans: Translator): string {
  switch (model.state) {
    case 'ready':
      return trans.__('Ready');
    case 'loading':
      return model.loadProgress === null
        ? trans.__('Loading…')
        : trans.__('Loading %1 %', formatCount(model.loadProgress * 100));
    case 'failed':
      return trans.__('Failed');
    case 'not_loaded':
      return trans.__('Not loaded');
  }
}

export function describeContextUse(use: ContextUse, trans: Translator): string {
  return trans.__(
    '%1 of %2 tokens of the context window used',
    formatCount(use.usedTokens),
    formatCount(use.windowTokens)
  );
}

export function describeConnection(
  connection: ConnectionState,
  trans: Translator
): { readonly message: string; readonly hint: string } | null {
  switch (connection.kind) {
    case 'open':
    case 'connecting':
      return null;
    case 'lost':
      return { message: trans.__('Connection lost. Reconnecting…'), hint: '' };
    case 'refused':
      return { message: connection.message, hint: connection.hint };
  }
}

export function describeLeftOut(count: number, trans: Translator): string {
  return trans._n(
    '%1 earlier message no longer fits and was not sent to the model.',
    '%1 earlier messages no longer fit and were not sent to the model.',
    count,
    formatCount(count)
  );
}

export function describeTokens(tokens: Chip['tokens'], trans: Translator): string {
  if (tokens === null) {
    return trans.__('counting…');
  }
  if (tokens === 'unknown') {
    return trans.__('size unknown');
  }
  return trans._n('%1 token', '%1 tokens', tokens, formatCount(tokens));
}

/** What is said of an attachment beside its text. */
export function describeItem(item: ContextItem, trans: Translator): readonly string[] {
  const facts = item.source === '' ? [] : [item.source];
  if (item.isTruncated) {
    facts.push(trans.__('shortened to fit'));
  }
  return facts;
}

/** A file's name from a title, without what file systems refuse. */
export function fileNameOf(title: string, format: 'md' | 'ipynb' | 'chat'): string {
  const name = title.replace(/[\u0000-\u001f\\/:*?"<>|]+/g, ' ').replace(/\s+/g, ' ').trim();
  return `${name.slice(0, 80).replace(/^\.+/, '') || 'chat'}.${format}`;
}

/** When a chat was last written in: today's as a time, others as a date. */
export function describeWhen(milliseconds: number, now: number): string {
  const when = new Date(milliseconds);
  return when.toDateString() === new Date(now).toDateString()
    ? when.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })
    : when.toLocaleDateString(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
}
