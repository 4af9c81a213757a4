# 1. Create ticket
curl -X POST http://localhost:3000/mcp \
  -H "Content-Type: application/json" \
  -d '{
    "jsonrpc": "2.0",
    "id": 1,
    "method": "call_tool",
    "params": {
      "name": "create_ticket",
      "arguments": {
        "ticket_id": "TICKET-001",
        "project_id": "test/project",
        "title": "Implement user authentication",
        "description": "Create secure user authentication system",
        "execution_plan": ["architect", "developer", "tester"]
      }
    }
  }'

# 2. Queue task
curl -X POST http://localhost:3000/mcp \
  -H "Content-Type: application/json" \
  -d '{
    "jsonrpc": "2.0",
    "id": 2,
    "method": "call_tool",
    "params": {
      "name": "queue_task",
      "arguments": {
        "ticket_id": "TICKET-001",
        "worker_type": "architect"
      }
    }
  }'

# 3. Check events
curl -X POST http://localhost:3000/mcp \
  -H "Content-Type: application/json" \
  -d '{
    "jsonrpc": "2.0",
    "id": 3,
    "method": "call_tool",
    "params": {
      "name": "get_events",
      "arguments": {
        "processed": false
      }
    }
  }'
