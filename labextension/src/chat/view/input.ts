/**
 * The input's text and what keys, completions and the Attach menu do to it.
 *
 * Hooks only; called by `composer.tsx`.
 */

import * as React from 'react';

import type { Completion, ContextSource } from '../workbench';
import { useCompleter } from './completer';
import type { Completer } from './completer';
import { useChat } from './context';
import { useDraft } from './draft';
import {
  insertCompletion,
  isWholeMention,
  stepThroughHistory,
  withoutMention
} from './draft_text';
import { hintOf, messageOf } from './failure';

type Node = React.RefObject<HTMLTextAreaElement>;

interface Written {
  readonly text: string;
  readonly cursor: number;
}

/** The text, and ways to write it. */
interface InputText {
  readonly text: string;
  readonly setText: (text: string) => void;
  /** Write, and put the cursor somewhere. */
  readonly put: (written: Written) => void;
  readonly fail: (error: unknown) => void;
}

interface Choices {
  readonly choose: (completion: Completion) => void;
  readonly attach: (source: ContextSource) => void;
}

export interface Input extends Choices {
  readonly listId: string;
  readonly text: string;
  readonly completer: Completer;
  readonly submit: () => Promise<void>;
  readonly onKeyDown: (event: React.KeyboardEvent, withShift: boolean) => void;
  readonly onChange: (event: React.ChangeEvent<HTMLTextAreaElement>) => void;
  readonly onSelect: (event: React.SyntheticEvent<HTMLTextAreaElement>) => void;
}

function useInputText(node: Node): InputText {
  const { model, trans, draftWritten } = useChat();
  const [text, setText] = useDraft(model, draftWritten);
  const cursor = React.useRef<number | null>(null);
  React.useLayoutEffect(() => {
    if (cursor.current !== null) {
      node.current?.setSelectionRange(cursor.current, cursor.current);
      cursor.current = null;
    }
  });
  return {
    text,
    setText,
    put: written => {
      cursor.current = written.cursor;
      setText(written.text);
      node.current?.focus();
    },
    fail: error => {
      const message = messageOf(error, trans.__('That did not work.'));
      model.notify({ severity: 'error', message, hint: hintOf(error) });
    }
  };
}

function useSubmit({ text, setText, fail }: InputText, completer: Completer): () => Promise<void> {
  const { model, workbench, trans, announce } = useChat();
  const isSubmitting = React.useRef(false);
  return async () => {
    if (text.trim() === '' || isSubmitting.current) {
      return;
    }
    if (model.state.writingId !== null && !text.trimStart().startsWith('/')) {
      announce(trans.__('Wait until the answer is finished, or stop it.'));
      return;
    }
    completer.close();
    isSubmitting.current = true;
    try {
      const became = await workbench.commandLine.submit(text);
      // What was typed meanwhile stays.
      if (became !== 'kept' && model.draft === text) {
        setText('');
      }
    } catch (error) {
      fail(error);
    } finally {
      isSubmitting.current = false;
    }
  };
}

function useChoices({ text, put, fail }: InputText, completer: Completer, node: Node): Choices {
  const { model, workbench, announce } = useChat();
  const { commandLine } = workbench;
  const choose = (completion: Completion): void => {
    const { list } = completer;
    if (list === null) {
      return;
    }
    if (completion.whyNot !== null) {
      announce(completion.whyNot);
      return;
    }
    completer.close();
    if (!isWholeMention(completion)) {
      const next = insertCompletion(text, list, completion);
      put(next);
      completer.query(next.text, next.cursor);
      return;
    }
    commandLine.attach(completion.insert.trim()).then(isAttached => {
      // Where more was typed meanwhile, the places are no longer those of the mention.
      if (model.draft === text) {
        const change = isAttached
          ? withoutMention(text, list.start, list.end)
          : insertCompletion(text, list, completion);
        put(change);
      }
    }, fail);
  };
  const attach = ({ mention, needsName }: ContextSource): void => {
    if (!needsName) {
      commandLine.attach(mention).catch(fail);
      node.current?.focus();
      return;
    }
    const gap = text === '' || /\s$/.test(text) ? '' : ' ';
    const next = `${text}${gap}${mention}`;
    put({ text: next, cursor: next.length });
    completer.query(next, next.length);
  };
  return { choose, attach };
}

/** Whether the list of completions took the key. */
function takesKey(
  event: React.KeyboardEvent,
  text: string,
  completer: Completer,
  choose: (completion: Completion) => void
): boolean {
  const { list, index } = completer;
  const active = list?.items[index];
  if (list === null || active === undefined) {
    return false;
  }
  const isTyped = text.slice(list.start, list.end).trim() === active.insert.trim();
  switch (event.key) {
    case 'ArrowDown':
      completer.move(1);
      return true;
    case 'ArrowUp':
      completer.move(-1);
      return true;
    case 'Escape':
      completer.close();
      return true;
    case 'Tab':
      if (event.shiftKey) {
        return false;
      }
      choose(active);
      return true;
    case 'Enter':
      // A command that is typed out is meant to be sent.
      if (event.shiftKey || (isTyped && !isWholeMention(active))) {
        return false;
      }
      choose(active);
      return true;
    default:
      return false;
  }
}

/** Everything the input does. */
export function useInput(node: Node): Input {
  const { model, workbench } = useChat();
  const listId = React.useId();
  const completer = useCompleter(workbench.commandLine);
  const input = useInputText(node);
  const submit = useSubmit(input, completer);
  const choices = useChoices(input, completer, node);
  const { text, setText, put } = input;
  const onKeyDown = (event: React.KeyboardEvent, withShift: boolean): void => {
    // Keys of an input method are its own, also the one that ends it.
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- Safari tells the key that ends an input method by its old code alone
    if (event.nativeEvent.isComposing || event.nativeEvent.keyCode === 229) {
      return;
    }
    if (takesKey(event, text, completer, choices.choose)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (event.key === 'Enter' && event.shiftKey === withShift) {
      event.preventDefault();
      void submit();
    } else if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
      const step = event.key === 'ArrowUp' ? -1 : 1;
      const other = stepThroughHistory(model.state.messages, text, step);
      if (other !== undefined) {
        event.preventDefault();
        put({ text: other, cursor: other.length });
      }
    }
  };
  const onChange = (event: React.ChangeEvent<HTMLTextAreaElement>): void => {
    setText(event.target.value);
    completer.query(event.target.value, event.target.selectionStart);
  };
  return { listId, text, completer, submit, ...choices, onKeyDown, onChange, onSelect: onSelect(completer) };
}

/** A cursor that leaves what is completed asks anew. */
function onSelect(completer: Completer): Input['onSelect'] {
  return event => {
    const { value, selectionStart, selectionEnd } = event.currentTarget;
    if (completer.list !== null && selectionStart === selectionEnd) {
      const { start, end } = completer.list;
      if (selectionStart < start || selectionStart > end) {
        completer.query(value, selectionStart);
      }
    }
  };
}
