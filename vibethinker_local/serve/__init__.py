"""`vibe serve`: the OpenAI protocol over one loaded model.

A request's way: `safety` (may it come in) → `wire` (what does it say) → `admission` (when is it its turn) →
`completion`, or `voting` for the reliability pass → `sharing` (one engine for all) → `streams` (how it goes out).
"""
