/**
 * A sent question being changed; sending it makes a branch.
 */

import * as React from 'react';

import type { MessageRecord } from '../../chat_protocol';
import { useChat } from './context';

export interface EditBoxProps {
  readonly record: MessageRecord;
  readonly onDone: () => void;
}

export function EditBox({ record, onDone }: EditBoxProps): React.JSX.Element {
  const { model, trans } = useChat();
  const [text, setText] = React.useState(record.content);
  const canSend = text.trim() !== '';
  const send = () => {
    if (canSend) {
      onDone();
      void model.edit(record.messageId, text);
    }
  };
  return (
    <div className="jp-LocalLLMChat-edit">
      <EditInput text={text} onChange={setText} onSend={send} onCancel={onDone} />
      <div className="jp-LocalLLMChat-editButtons">
        <button type="button" className="jp-LocalLLMChat-textButton" onClick={onDone}>
          {trans.__('Cancel')}
        </button>
        <button
          type="button"
          className="jp-LocalLLMChat-textButton jp-mod-accept"
          disabled={!canSend}
          onClick={send}
        >
          {trans.__('Send')}
        </button>
      </div>
    </div>
  );
}

interface EditInputProps {
  readonly text: string;
  readonly onChange: (text: string) => void;
  readonly onSend: () => void;
  readonly onCancel: () => void;
}

function EditInput({ text, onChange, onSend, onCancel }: EditInputProps): React.JSX.Element {
  const { trans } = useChat();
  const input = React.useRef<HTMLTextAreaElement>(null);
  React.useEffect(() => {
    const node = input.current;
    node?.focus();
    node?.setSelectionRange(node.value.length, node.value.length);
  }, []);
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.nativeEvent.isComposing) {
      return;
    }
    if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      onCancel();
    } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onSend();
    }
  };
  return (
    <div className="jp-LocalLLMChat-grow" data-text={text}>
      <textarea
        ref={input}
        value={text}
        rows={1}
        aria-label={trans.__('Edit the question')}
        onChange={event => {
          onChange(event.target.value);
        }}
        onKeyDown={onKeyDown}
      />
    </div>
  );
}
