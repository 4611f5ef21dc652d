/**
 * The text of a message as Markdown; an answer grows here without React.
 */

import * as React from 'react';

import type { MessageRecord } from '../../chat_protocol';
import { StreamingMarkdown } from '../markdown/stream';
import { splitThinking } from '../markdown/thinking';
import type { AnswerParts } from '../markdown/thinking';
import type { ILiveAnswer } from '../state';
import { useChat, useSubscription } from './context';

/** The answer being written behind a record; also one that is found later. */
export function useLive(record: MessageRecord): ILiveAnswer | null {
  const { model } = useChat();
  const isWriting = record.state === 'writing';
  return React.useSyncExternalStore(useSubscription(model.changed), () =>
    isWriting ? model.live(record.messageId) : null
  );
}

function growText(node: HTMLElement, text: string): void {
  const shown = node.firstChild;
  if (shown instanceof Text && text.startsWith(shown.data)) {
    shown.appendData(text.slice(shown.data.length));
  } else {
    node.textContent = text;
  }
}

/** Only answers think. */
function splitRecord(record: MessageRecord, text: string): AnswerParts {
  return record.role === 'assistant'
    ? splitThinking(text)
    : { thinking: null, isThinking: false, answer: text };
}

type Thinking = 'none' | 'now' | 'done';

/** The Markdown in an element, for as long as the element is there. */
function useStream(
  host: React.RefObject<HTMLDivElement>,
  record: MessageRecord
): React.RefObject<StreamingMarkdown> {
  const { renderer, queue, decorateCode } = useChat();
  const stream = React.useRef<StreamingMarkdown | null>(null);
  const firstText = React.useRef(
    record.state === 'writing' ? '' : splitRecord(record, record.content).answer
  );
  React.useLayoutEffect(() => {
    if (host.current === null) {
      return undefined;
    }
    const plainText = firstText.current;
    const options = { host: host.current, renderer, queue, decorateCode, plainText };
    const markdown = new StreamingMarkdown(options);
    stream.current = markdown;
    return () => {
      stream.current = null;
      markdown.dispose();
    };
  }, [host, renderer, queue, decorateCode]);
  return stream;
}

export const MessageContent = React.memo(function MessageContent({
  record
}: {
  readonly record: MessageRecord;
}): React.JSX.Element {
  const { trans } = useChat();
  const host = React.useRef<HTMLDivElement>(null);
  const thought = React.useRef<HTMLDivElement>(null);
  const [thinking, setThinking] = React.useState<Thinking>('none');
  const live = useLive(record);
  const stream = useStream(host, record);

  React.useLayoutEffect(() => {
    const show = () => {
      const text = live?.text ?? record.content;
      const { thinking: thoughts, isThinking, answer } = splitRecord(record, text);
      setThinking(thoughts === null ? 'none' : isThinking ? 'now' : 'done');
      if (thought.current !== null) {
        growText(thought.current, thoughts ?? '');
      }
      if (record.state === 'writing') {
        stream.current?.update(answer);
      } else {
        stream.current?.finish(answer);
      }
    };
    show();
    live?.changed.connect(show);
    return () => {
      live?.changed.disconnect(show);
    };
    // `thinking`: the element for it has just come into the page.
  }, [record, live, stream, thinking]);

  return (
    <>
      {thinking === 'none' ? null : (
        <details className="jp-LocalLLMChat-think" data-state={thinking}>
          <summary>{thinking === 'now' ? trans.__('Thinking…') : trans.__('Thinking')}</summary>
          <div ref={thought} className="jp-LocalLLMChat-plain" />
        </details>
      )}
      <div ref={host} className="jp-LocalLLMChat-content jp-RenderedHTMLCommon" />
    </>
  );
});
