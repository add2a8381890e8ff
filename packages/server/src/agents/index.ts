export { mcpTools, toolName, type McpServer } from '#agents/mcp';
export { allProviders, askModel, removeProvider, saveProvider, type ModelProvider } from '#agents/providers';
export { runAgent, type AgentTool } from '#agents/run-agent';
export { openTranscript } from '#agents/transcript';
export { recall, remember } from '#agents/memory';
