-- After the pages are made (Quarto runs this): what a page loads and no page uses goes. Most of Bootstrap's style is for things
-- that are not here, and each line of code comes with a link to itself.
local out = os.getenv("QUARTO_PROJECT_OUTPUT_DIR")
if not out or os.getenv("QUARTO_PROJECT_RENDER_ALL") ~= "1" then return end -- a single page does not say what the others use

local function rewrite(path, change)
  local file = io.open(path, "rb")
  local old = file:read("a")
  file:close()
  local new = change(old)
  if new == nil or new == old then return end
  file = io.open(path, "wb")
  file:write(new)
  file:close()
end

local function each(folder, ending, change)
  for _, name in ipairs(pandoc.system.list_directory(folder)) do
    local path = folder .. "/" .. name
    if name:sub(-#ending) == ending then rewrite(path, change)
    elseif not name:find(".", 1, true) then each(path, ending, change) end
  end
end

local used = {} -- every word that may be a class: in a page's class attributes and in all scripts
local function words(text)
  for word in text:gmatch("[%w_-]+") do used[word] = true end
end

-- A line of code says how far it is indented, so that site.scss can hang the rest of a long one below it.
local function line_of_code(line)
  if line == "</span>" then return "" end
  local indent = #line:gsub("<[^>]+>", ""):match("^ *")
  return (indent == 0 and "<span>" or ('<span style="--indent:%d">'):format(indent)) .. line
end

each(out, ".html", function(page)
  for classes in page:gmatch('class="([^"]*)"') do words(classes) end
  for script in page:gmatch("<script.->(.-)</script>") do words(script) end
  return (page:gsub('<span id="cb[%d-]+"><a href="#cb[%d-]+"[^>]*></a>([^\n]*)', line_of_code))
end)
each(out, ".js", words)

-- A rule is kept if one of its selectors names only classes that are used. What `:not()` names need not be there.
local function is_used(selectors)
  for selector in selectors:gsub("/%*.-%*/", ""):gsub(":not%b()", ""):gmatch("[^,]+") do
    local all = true
    for class in selector:gmatch("%.(-?[%a_][%w_-]*)") do all = all and used[class] end
    if all then return true end
  end
end

local function trimmed(style)
  return (style:gsub("([^{}]+)(%b{})", function(head, body)
    if head:find("@media") or head:find("@supports") then
      local inside = trimmed(body:sub(2, -2))
      return inside:find("{", 1, true) and head .. "{" .. inside .. "}" or ""
    end
    if not head:find("[@;]") and not is_used(head) then return "" end
  end))
end

each(out, ".css", trimmed)
