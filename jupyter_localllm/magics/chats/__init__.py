"""What is remembered: the session's turns, the sidebar's chats, and a chat in a cell."""
