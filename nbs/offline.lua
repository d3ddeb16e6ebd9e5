-- What Quarto and nbdev put on a page and the course does without, and what they leave out.

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

-- A fold says what it holds: what its cell defines, else what it draws, imports or sets. A `code-summary` of the cell goes before.
local function summary_of(code)
  local defined, set, lines = pandoc.List(), pandoc.List(), pandoc.List()
  for line in (code .. "\n"):gmatch("(.-)\n") do lines:insert(line) end
  for i, line in ipairs(lines) do
    local kind, name = line:match("^(%l+) ([%w_]+)")
    local class = (line .. (lines[i + 1] or "")):match("^def [%w_]+%(%s*self: ([%w_]+)") -- fastcore's @patch
    if kind == "def" or kind == "class" then defined:insert(class and class .. "." .. name or name) end
    local target = line:match("^([%a_][%w_.]*)[^=()]* [|+]?= ")
    if target and not set:includes(target) then set:insert(target) end
  end
  if #defined == 0 and code:find("plt.", 1, true) then return "Code of the figure" end
  if #defined == 0 and (code:find("^import ") or code:find("^from ")) then return "Code: imports" end
  local names = #defined > 0 and defined or set
  return #names > 0 and "Code: `" .. table.concat(names, "`, `") .. "`" or "Code"
end

function CodeBlock(code)
  if not code.attributes["code-fold"] or code.attributes["code-summary"] then return end
  code.attributes["code-summary"] = summary_of(code.text)
  return code
end
