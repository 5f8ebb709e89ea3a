"""Web page for translating photographs."""
