/**
 * The list of commands and mentions that could stand at the cursor.
 */

import * as React from 'react';

import type { Completion, CompletionList, ICommandLine } from '../workbench';
import { useChat } from './context';

export interface Completer {
  readonly list: CompletionList | null;
  readonly index: number;
  /** Look for what could stand there; an older look-up is forgotten. */
  readonly query: (text: string, cursor: number) => void;
  readonly move: (step: number) => void;
  readonly close: () => void;
}

interface Shown {
  readonly list: CompletionList;
  readonly index: number;
}

const CLOSED: Shown | null = null;

export function useCompleter(commandLine: ICommandLine): Completer {
  const [shown, setShown] = React.useState<Shown | null>(CLOSED);
  const latest = React.useRef(0);
  const query = React.useCallback(
    (text: string, cursor: number) => {
      const number = ++latest.current;
      // Neither mark: nothing to complete, and nothing to wait for.
      if (!/[/@]/.test(text.slice(0, cursor))) {
        setShown(CLOSED);
        return;
      }
      commandLine.complete(text, cursor).then(
        list => {
          if (number === latest.current) {
            setShown(list === null || list.items.length === 0 ? CLOSED : { list, index: 0 });
          }
        },
        () => {
          if (number === latest.current) {
            setShown(CLOSED);
          }
        }
      );
    },
    [commandLine]
  );
  const move = React.useCallback((step: number) => {
    setShown(now => {
      if (now === null) {
        return now;
      }
      const count = now.list.items.length;
      return { list: now.list, index: (now.index + step + count) % count };
    });
  }, []);
  const close = React.useCallback(() => {
    latest.current += 1;
    setShown(CLOSED);
  }, []);
  return { list: shown?.list ?? null, index: shown?.index ?? 0, query, move, close };
}

export function optionId(listId: string, index: number): string {
  return `${listId}-${index}`;
}

export interface CompletionListViewProps {
  readonly id: string;
  readonly completer: Completer;
  readonly onChoose: (completion: Completion) => void;
}

export function CompletionListView(props: CompletionListViewProps): React.JSX.Element | null {
  const { id, completer, onChoose } = props;
  const { trans } = useChat();
  const active = React.useRef<HTMLLIElement>(null);
  const { list, index } = completer;
  React.useEffect(() => {
    active.current?.scrollIntoView({ block: 'nearest' });
  }, [list, index]);
  if (list === null) {
    return null;
  }
  return (
    <ul
      id={id}
      className="jp-LocalLLMChat-completer"
      role="listbox"
      aria-label={trans.__('Commands and mentions')}
    >
      {list.items.map((completion, at) => (
        // eslint-disable-next-line jsx-a11y/click-events-have-key-events -- in a combobox the focus stays in the input, which takes the keys
        <li
          key={`${completion.kind} ${completion.label}`}
          id={optionId(id, at)}
          ref={at === index ? active : undefined}
          role="option"
          aria-selected={at === index}
          aria-disabled={completion.whyNot !== null}
          className="jp-LocalLLMChat-completion"
          data-kind={completion.kind}
          onMouseDown={event => {
            event.preventDefault();
          }}
          onClick={() => {
            onChoose(completion);
          }}
        >
          <span className="jp-LocalLLMChat-completionLabel">{completion.label}</span>
          <span className="jp-LocalLLMChat-hint">{completion.whyNot ?? completion.caption}</span>
        </li>
      ))}
    </ul>
  );
}
