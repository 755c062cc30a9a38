-- Moves on after every change of what lists show, once the change is committed: a page that was found under the number
-- of this moment lacks nothing that anybody was told of. A sequence, so that no edit ever waits for another one. It
-- begins anywhere, so that two databases that share a Redis do not take each other's pages for their own.
do $$ begin
  execute format('create sequence catalogue_generation start with %s', floor(random() * 1e15)::bigint + 1);
  -- The first call of a sequence moves nothing.
  perform nextval('catalogue_generation');
end $$;
