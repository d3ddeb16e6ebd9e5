-- What Quarto and nbdev put on a page, and the course does without.

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

-- show_doc's "source" links look a name up in one flat list of all modules and find the wrong one. The source stands on the page.
function Para(para)
  local link = para.content[1]
  local is_source = #para.content == 1 and link.t == "Link" and (link.attributes.style or ""):find("float:right", 1, true)
  if is_source then return {} end
end
