/** The codec's face: PostgreSQL's messages by their names. One file for each speaker and direction lies in messages/. */
export * from './messages/authentication.ts'
export * from './messages/backend.ts'
export * from './messages/backend-writing.ts'
export * from './messages/frontend.ts'
export * from './messages/frontend-writing.ts'
export * from './messages/startup.ts'
export * from './messages/types.ts'
export { ProtocolViolation } from './messages/violation.ts'
