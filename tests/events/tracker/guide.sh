# The commands of the events guide, word for word.

curl -X POST http://localhost:8080/api/v1alpha1/event \
  -H "Content-Type: application/json" \
  -d '{
    "title": "Deploy user-service v2.1.0 to production",
    "attributes": {
      "message": "Deployed via GitHub Actions",
      "type": 1,
      "priority": 2,
      "service": "user-service",
      "status": 3,
      "environment": 7,
      "owner": "platform-team"
    },
    "links": {
      "pullRequestLink": "https://github.com/org/repo/pull/123",
      "ticket": "PROJ-456"
    }
  }'

curl -X PUT http://localhost:8080/api/v1alpha1/event \
  -H "Content-Type: application/json" \
  -d '{
    "id": "507f1f77bcf86cd799439011",
    "title": "Deploy user-service v2.1.0 to production",
    "attributes": {
      "status": 3,
      "endDate": "2024-01-15T10:05:00Z"
    }
  }'

curl http://localhost:8080/api/v1alpha1/event/507f1f77bcf86cd799439011

curl -X DELETE http://localhost:8080/api/v1alpha1/event/507f1f77bcf86cd799439011

curl "http://localhost:8080/api/v1alpha1/events/list?per_page=10&page=1"

curl "http://localhost:8080/api/v1alpha1/events/list?per_page=10&page=2"

curl "http://localhost:8080/api/v1alpha1/events/search?priority=1&type=4"

curl "http://localhost:8080/api/v1alpha1/events/search?type=1&environment=7"

curl "http://localhost:8080/api/v1alpha1/events/search?service=user-service"

curl "http://localhost:8080/api/v1alpha1/events/search?start_date=2024-01-01&end_date=2024-01-31"

curl "http://localhost:8080/api/v1alpha1/events/today"

grpcurl --plaintext -d '{
  "title": "Deploy user-service v2.1.0",
  "attributes": {
    "message": "Deployed via GitHub Actions",
    "type": "1",
    "priority": "2",
    "service": "user-service",
    "status": "3",
    "environment": "7",
    "start_date": "2024-01-15T10:00:00Z",
    "end_date": "2024-01-15T10:05:00Z"
  },
  "links": {
    "pull_request_link": "https://github.com/org/repo/pull/123"
  }
}' localhost:8765 tracker.event.v1alpha1.EventService/CreateEvent

grpcurl --plaintext localhost:8765 tracker.event.v1alpha1.EventService/ListEvents

grpcurl --plaintext -d '{
  "id": "507f1f77bcf86cd799439011"
}' localhost:8765 tracker.event.v1alpha1.EventService/GetEvent

grpcurl --plaintext -d '{
  "priority": "1"
}' localhost:8765 tracker.event.v1alpha1.EventService/SearchEvents

grpcurl --plaintext -d '{
  "start_date": "2024-01-01",
  "end_date": "2024-01-31"
}' localhost:8765 tracker.event.v1alpha1.EventService/SearchEvents

curl -X POST http://localhost:8080/api/v1alpha1/event \
  -H "Content-Type: application/json" \
  -d '{
    "title": "Deploy API v3.2.0 to production",
    "attributes": {
      "message": "New features: user preferences, dark mode",
      "type": 1,
      "priority": 2,
      "service": "api-service",
      "status": 3,
      "environment": 7,
      "owner": "backend-team",
      "startDate": "2024-01-15T14:00:00Z",
      "endDate": "2024-01-15T14:10:00Z"
    },
    "links": {
      "pullRequestLink": "https://github.com/org/api/pull/234",
      "ticket": "FEAT-789"
    }
  }'

curl -X POST http://localhost:8080/api/v1alpha1/event \
  -H "Content-Type: application/json" \
  -d '{
    "title": "Database connection pool exhausted",
    "attributes": {
      "message": "High traffic caused connection pool saturation",
      "type": 4,
      "priority": 1,
      "service": "database",
      "status": 7,
      "environment": 7,
      "impact": 3,
      "owner": "ops-team",
      "stakeHolders": ["backend-team", "frontend-team"]
    },
    "links": {
      "ticket": "INC-456"
    }
  }'

curl -X POST http://localhost:8080/api/v1alpha1/event \
  -H "Content-Type: application/json" \
  -d '{
    "title": "Terraform drift detected in VPC configuration",
    "attributes": {
      "message": "Manual changes detected in security group rules",
      "type": 3,
      "priority": 3,
      "service": "infrastructure",
      "status": 7,
      "environment": 7,
      "owner": "platform-team"
    }
  }'

curl -X POST http://localhost:8080/api/v1alpha1/event \
  -H "Content-Type: application/json" \
  -d '{
    "title": "Invoice processing automation completed",
    "attributes": {
      "message": "Processed 250 invoices in 15 minutes",
      "type": 5,
      "priority": 1,
      "service": "invoice-automation",
      "status": 3,
      "startDate": "2024-01-15T09:00:00Z",
      "endDate": "2024-01-15T09:15:00Z"
    }
  }'
