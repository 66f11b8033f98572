import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { KeyProof } from '../api-keys/index.ts'
import { ApiKeyInvalid } from './errors.ts'
import type { Principal } from './index.ts'
import type { Credential, Principals } from './principals.ts'

/** A key is remembered by the hash of the whole of it: no secret is kept or compared here. */
export const proofOf = ({ sid, sub }: Credential): KeyProof => ({ id: sub, hash: sid })

/**
 * Calls back with the owner of the key in `X-API-Key`, or with what is wrong: `ApiKeyInvalid` unless nobody could be asked. For a
 * remembered key there is no promise and no I/O in it.
 */
export type IdentifyByKey = (
  request: FastifyRequest,
  callback: (error: Error | null, principal: Principal | null) => void
) => void

export function identifyByKey(app: FastifyInstance, principals: Principals<Credential>): IdentifyByKey {
  const { apiKeys, accessTokens } = app
  return (request, callback) => {
    const text = request.headers['x-api-key']
    const proof = typeof text === 'string' ? apiKeys.read(text) : null
    if (proof === null) return callback(new ApiKeyInvalid(accessTokens.realm), null)

    const found = (principal: Principal | null) => {
      if (principal === null) return callback(new ApiKeyInvalid(accessTokens.realm, apiKeys.isUnknown(proof)), null)
      apiKeys.noteUse(proof.id)
      callback(null, principal)
    }
    const claims = { sid: proof.hash, sub: proof.id }
    const known = principals.recall(claims)
    if (known !== undefined) return found(known)
    principals.load(claims).then(found, (error) => callback(error, null))
  }
}
