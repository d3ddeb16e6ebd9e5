-- Quarto asks a CDN for require.js and jQuery on each page whose notebook has an HTML output. Nothing here needs them.
function Meta(meta)
  local function from_cdn(blocks)
    local first = pandoc.utils.type(blocks) == "Blocks" and blocks[1]
    return first and (first.text or ""):find("cdnjs.cloudflare.com", 1, true)
  end
  local headers = pandoc.List(meta["header-includes"] or {})
  meta["header-includes"] = headers:filter(function(blocks) return not from_cdn(blocks) end)
  return meta
end
