import t from 'tap'
import { startApp } from '../support/app.ts'
import { origin } from './sessions/client.ts'
import { testCookie } from './sessions/cookie.ts'
import { testEndings } from './sessions/endings.ts'
import { testRotation } from './sessions/rotation.ts'

const app = await startApp(t, { COOKIE_SECURE: 'true', CORS_ORIGINS: origin, SESSION_MAX_PER_USER: '5' })

testRotation(t, app)
testEndings(t, app)
testCookie(t, app)
