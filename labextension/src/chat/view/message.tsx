/**
 * One message: a question or an answer. Rendered again only when its own record changes.
 *
 * Far from what is seen it is plain text without buttons, so that long chats open at once.
 */

import * as React from 'react';

import type { MessageRecord } from '../../chat_protocol';
import { Attachments } from './attachments';
import { useChat } from './context';
import { EditBox } from './edit_box';
import { Ending, Footer } from './footer';
import { MessageContent } from './message_content';
import { MessageToolbar } from './message_toolbar';
import { Progress } from './progress';

export interface MessageViewProps {
  readonly record: MessageRecord;
  readonly siblingIndex: number;
  readonly siblingIds: readonly string[];
  /** Rendered without waiting until it is near. */
  readonly isAtOnce: boolean;
}

function isSame(one: MessageViewProps, other: MessageViewProps): boolean {
  return (
    one.record === other.record &&
    one.siblingIndex === other.siblingIndex &&
    one.siblingIds.length === other.siblingIds.length &&
    one.siblingIds.every((id, index) => id === other.siblingIds[index])
  );
}

/** Whether the message has been near to what is seen. */
function useNear(node: React.RefObject<HTMLElement>, isAtOnce: boolean): boolean {
  const { nearWatch } = useChat();
  const [isNear, setIsNear] = React.useState(isAtOnce);
  React.useEffect(() => {
    if (isNear || node.current === null) {
      return undefined;
    }
    return nearWatch.watch(node.current, () => {
      setIsNear(true);
    });
  }, [isNear, nearWatch, node]);
  return isNear;
}

/** Whether the question is being changed; afterwards the focus is where it was before. */
function useEditing(
  node: React.RefObject<HTMLElement>
): [boolean, (isEditing: boolean) => void] {
  const [isEditing, setIsEditing] = React.useState(false);
  const wasEditing = React.useRef(false);
  React.useEffect(() => {
    if (wasEditing.current && !isEditing) {
      node.current?.querySelector<HTMLElement>('[data-action="edit"]')?.focus();
    }
    wasEditing.current = isEditing;
  }, [isEditing, node]);
  return [isEditing, setIsEditing];
}

export const MessageView = React.memo(function MessageView(
  props: MessageViewProps
): React.JSX.Element {
  const { record, siblingIndex, siblingIds } = props;
  const { trans } = useChat();
  const node = React.useRef<HTMLElement>(null);
  const isNear = useNear(node, props.isAtOnce || record.state === 'writing');
  const [isEditing, setIsEditing] = useEditing(node);
  const isQuestion = record.role === 'user';
  return (
    <article
      ref={node}
      className="jp-LocalLLMChat-message"
      data-role={record.role}
      data-message-id={record.messageId}
      data-state={record.state}
      aria-label={isQuestion ? trans.__('Question') : trans.__('Answer')}
    >
      {record.context.length === 0 ? null : <Attachments items={record.context} />}
      {isEditing ? (
        <EditBox
          record={record}
          onDone={() => {
            setIsEditing(false);
          }}
        />
      ) : isNear ? (
        <MessageContent record={record} />
      ) : (
        <div className="jp-LocalLLMChat-content jp-LocalLLMChat-plain">{record.content}</div>
      )}
      {record.state === 'writing' ? <Progress messageId={record.messageId} /> : null}
      <Ending record={record} />
      {isNear && !isEditing && record.state !== 'writing' ? (
        <div className="jp-LocalLLMChat-messageEnd">
          {isQuestion ? null : <Footer record={record} />}
          <MessageToolbar
            record={record}
            node={node}
            siblingIndex={siblingIndex}
            siblingIds={siblingIds}
            onEdit={() => {
              setIsEditing(true);
            }}
          />
        </div>
      ) : null}
    </article>
  );
}, isSame);
